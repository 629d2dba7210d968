"""The command line `nkfm`: one file per command, imported only when that command runs."""
