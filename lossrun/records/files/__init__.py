"""Write and read bytes on disk: durable writes, strict JSON, lines with digests."""
