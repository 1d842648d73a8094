"""Test doubles and helpers that several levels of tests share."""
