"""The machines that run any algorithm: coordinator, participant, and how replies travel."""
