"""What `tapetum bench` measures and how; `plan` says what, `suite` runs it, `result` keeps it."""
