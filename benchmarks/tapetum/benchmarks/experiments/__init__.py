"""What was tried with live video, memory and the browser; only this repository needs them."""
