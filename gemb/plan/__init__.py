"""What a run needs and costs on a TPU slice, compiled without one."""
