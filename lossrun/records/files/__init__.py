"""Bytes on disk, whatever they hold: durable writes, strict JSON, lines with digests."""
