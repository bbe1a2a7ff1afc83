"""What a network is trained to say: ``contract`` has what a task is, and each task has a folder."""
