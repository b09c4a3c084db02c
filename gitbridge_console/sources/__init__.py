"""What a review needs to see: file lists and diffs, bounded."""
