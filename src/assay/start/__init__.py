"""Before the first run: the studies that come with assay, a study file of one's own, and what a study will take."""
