"""The paper's tables, run again and printed beside what the paper printed."""
