"""Which labels training sees: few-shot draws, label noise, zero-shot pseudo-labels."""
