"""The owner's desk: profile, store, consent, scan, loops, framing. No sockets."""
