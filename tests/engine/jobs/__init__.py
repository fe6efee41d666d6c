"""Fine-tuning jobs, through the stock client."""
