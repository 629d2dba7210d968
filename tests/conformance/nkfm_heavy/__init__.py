"""A plugin that costs everybody time."""
