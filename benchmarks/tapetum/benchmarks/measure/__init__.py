"""What measuring takes, whatever is measured: frames, clocks, samples, the machine, the files."""
