/* WebSocket frames and JSON, as much of both as the load needs: nothing is allocated, hardly anything copied. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10, HEAD_BYTES = 8 };

static const char HELLO[] = "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static const char ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; /* what that key asks for */

typedef struct { unsigned first; const char *data; size_t bytes; } Frame; /* `first` is 0x80 + opcode if it is whole */

/* Write a masked frame of fewer than 65,536 bytes to `out`, which has room for HEAD_BYTES more; return its length. */
static size_t pack_frame(unsigned char *out, int opcode, const char *data, size_t bytes) {
    static uint32_t key = 2463534242u;
    size_t head = 2;
    out[0] = (unsigned char)(0x80 | opcode);
    out[1] = (unsigned char)(0x80 | (bytes < 126 ? bytes : 126));
    if (bytes >= 126) out[head++] = (unsigned char)(bytes >> 8), out[head++] = (unsigned char)bytes;
    key ^= key << 13, key ^= key >> 17, key ^= key << 5; /* xorshift: servers must unmask for real */
    memcpy(out + head, &key, 4);
    const unsigned char *mask = out + head;
    unsigned char *body = out + head + 4;
    for (size_t i = 0; i < bytes; i++) body[i] = (unsigned char)data[i] ^ mask[i & 3];
    return head + 4 + bytes;
}

/* Find the frame of at most `most` bytes at the front of `in` and return its length, 0 if it is not all there yet.
 * A server's frame that is masked or longer is left alone and has length `most` + 1. */
static size_t unpack_frame(const char *in, size_t there, size_t most, Frame *frame) {
    const unsigned char *byte = (const unsigned char *)in;
    size_t head = 2;
    if (there < 2) return 0;
    size_t bytes = byte[1];
    if (bytes > 126) return most + 1;
    if (bytes == 126) {
        if (there < 4) return 0;
        bytes = (size_t)byte[2] << 8 | byte[3];
        head = 4;
    }
    if (head + bytes > most) return most + 1;
    if (there < head + bytes) return 0;
    *frame = (Frame){byte[0], in + head, bytes};
    return head + bytes;
}

/* Where the string value of a key begins, or NULL. White space around the colon is tolerated. */
static const char *value_of(const char *text, size_t bytes, const char *key) {
    const char *end = text + bytes, *at = memmem(text, bytes, key, strlen(key));
    if (!at) return NULL;
    for (at += strlen(key); at < end && (*at == ':' || *at == ' '); at++) {}
    return at < end && *at == '"' ? at + 1 : NULL;
}

/* The string value of a key, copied into `room` with an end mark; false if it is not there or too long. */
static bool copy_value(const char *text, size_t bytes, const char *key, char *room, size_t room_bytes) {
    const char *value = value_of(text, bytes, key);
    const char *quote = value ? memchr(value, '"', (size_t)(text + bytes - value)) : NULL;
    if (!quote || (size_t)(quote - value) >= room_bytes) return false;
    memcpy(room, value, (size_t)(quote - value));
    room[quote - value] = '\0';
    return true;
}
