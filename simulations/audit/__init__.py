"""What every node learned, compared with what its agreements allow and with the truth."""
