"""``assay diagnose``: what the course of a training says, and experiments that say why."""
