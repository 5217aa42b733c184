"""Many runs from one file: what to try, tuning each pair with the same budget, and running it all in workers."""
