"""What is asked of the operating system: files, processes, claims, memory, the machine."""
