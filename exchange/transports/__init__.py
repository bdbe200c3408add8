"""How bytes reach a conversation: accept, frame, watch. No transport names a protocol."""
