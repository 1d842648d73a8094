"""Certificates, the certificate authority for pilots, and TLS credentials."""
