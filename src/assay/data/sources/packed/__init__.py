"""Sources that keep pictures, as bytes, and what is true of them in columns: Hugging Face, Parquet, WebDataset."""
