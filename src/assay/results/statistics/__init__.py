"""On plain numbers: intervals, the errors that variants share, what other test images would change, seeds needed."""
