"""The audit harness, audited."""
