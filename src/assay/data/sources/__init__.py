"""Where pictures come from: a format a file."""
