"""What `tapetum bench` measures and how: `suite` runs a plan, `result` keeps what it gives."""
