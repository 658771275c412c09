"""What was sent about nobody the wallet knows: who waits, who decides, and whose it becomes."""
