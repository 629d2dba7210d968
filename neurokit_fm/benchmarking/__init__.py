"""Benchmarks: models x data sets x methods x seeds after one recipe, and the leaderboard of what came out."""

from neurokit_fm.benchmarking.board import write_board
from neurokit_fm.benchmarking.cells import run_bench
from neurokit_fm.benchmarking.recipe import BenchRecipe, named_recipes, read_bench

__all__ = ["BenchRecipe", "named_recipes", "read_bench", "run_bench", "write_board"]
