"""Sizes and lengths that the wires fix (docs/protocols)."""

USERNAME_CHARACTERS = 254  # MAGI 3.1
NICKNAME_CHARACTERS = 200  # MAGI 3.1: longer ones are cut
ECHO_CHARACTERS = 200  # MAGI section 5: how much of a foreign `type` or `to` an error repeats
MESSAGE_ID_CHARACTERS = 64  # MAGI-45
TRACE_HOPS = 16  # MAGI-45
CODE_CHARACTERS = 6  # MAGI-29
CODE_CHARACTERS_MOST = 16  # MAGI-29: an extended client may ask for longer codes
TOKEN_CHARACTERS = 200  # MAGI-46
CAPABILITIES_COUNT = 32  # MAGI-45: of one client
CAPABILITY_CHARACTERS = 64  # MAGI-45
HISTORY_COUNT = 100  # MAGI-49: messages in one reply
CODE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"  # MAGI-29
JSON_DEPTH = 64  # security: nesting of one message
MESSAGE_BYTES = 1 << 20  # MAGI-4: default of the inbound limit
OVERSIZE_FACTOR = 4  # MAGI-4: above this many times the limit the socket is closed

# --- CoralMux relay --------------------------------------------------------------------------------------------------
RELAY_FIRST_BYTES = 64 << 10  # security: a message before `auth`
RELAY_MESSAGE_BYTES = 5 << 20  # CORAL-20
RELAY_OUTER_BYTES = 8 << 20  # CORAL-20: above, the socket is closed
RELAY_KEYS_COUNT = 256  # security: of one envelope
RELAY_ECHO_CHARACTERS = 64  # CORAL-6: how much of a foreign `role` a refusal repeats
