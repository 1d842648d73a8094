"""The kernel that every disclosure shares: state machine, session, checkpoint, messages, statements, workspace."""
