"""Tests of the coordinator as a web application, over real sockets."""
