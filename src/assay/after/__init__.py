"""What happens to a network's answers once it is trained: modules around it, which give what it gives, but better."""
