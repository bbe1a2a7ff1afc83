"""What the course of a training says of it: rules on plain numbers, each with its rate of false alarms."""
