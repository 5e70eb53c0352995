#include "base/audio_probe.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const struct {
    const char *name, *demuxer;
} kinds[AUDIO_KINDS] = {
    [AUDIO_NONE] = {"", ""},         [AUDIO_WAV] = {"wav", "wav"},
    [AUDIO_AIFF] = {"aiff", "aiff"}, [AUDIO_FLAC] = {"flac", "flac"},
    [AUDIO_OGG] = {"ogg", "ogg"},    [AUDIO_MP3] = {"mp3", "mp3"},
    [AUDIO_AU] = {"au", "au"},       [AUDIO_CAF] = {"caf", "caf"},
    [AUDIO_AAC] = {"aac", "aac"},    [AUDIO_M4A] = {"m4a", "mov"},
    [AUDIO_WMA] = {"wma", "asf"},    [AUDIO_WEBM] = {"webm", "matroska"},
    [AUDIO_AMR] = {"amr", "amr"},
};

const char *audio_kind_name(enum audio_kind kind)
{
    return kinds[kind].name;
}

const char *audio_kind_demuxer(enum audio_kind kind)
{
    return kinds[kind].demuxer;
}

struct view {
    const uint8_t *p;
    size_t len;
};

static bool has(struct view v, size_t at, const char *bytes, size_t n)
{
    return v.len >= at + n && memcmp(v.p + at, bytes, n) == 0;
}
#define HAS(v, at, literal) has(v, at, literal, sizeof(literal) - 1)

/* Bytes of an ID3v2 tag at the beginning, its header and footer included; 0 none. */
static size_t tag_len(struct view v)
{
    if (!HAS(v, 0, "ID3") || v.len < 10 || v.p[3] == 0xff)
        return 0;
    size_t n = 0;
    for (size_t i = 6; i < 10; i++) {
        if (v.p[i] & 0x80)
            return 0;
        n = n << 7 | v.p[i];
    }
    return n + (v.p[5] & 0x10 ? 20 : 10);
}

/* Bytes of the MPEG frame of layer 2 or 3 that begins there; 0: none does. */
static size_t mpeg_frame(const uint8_t *p)
{
    static const uint16_t kbps[3][16] = {
        {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
         0}, /* 1, II */
        {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
         0},                                                               /* 1, III */
        {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0}, /* 2 and 2.5 */
    };
    static const uint16_t hz[3] = {44100, 48000, 32000};
    unsigned version = p[1] >> 3 & 3, layer = p[1] >> 1 & 3, rate = p[2] >> 2 & 3;

    if (p[0] != 0xff || (p[1] & 0xe0) != 0xe0 || version == 1 || layer == 0 ||
        layer == 3 || rate == 3)
        return 0;
    bool first = version == 3, third = layer == 1;
    unsigned k = kbps[!first ? 2 : third ? 1 : 0][p[2] >> 4];
    unsigned shift = first ? 0 : version == 2 ? 1 : 2;
    unsigned samples = !first && third ? 72 : 144;
    return k ? (size_t)samples * k * 1000 / (hz[rate] >> shift) + (p[2] >> 1 & 1) : 0;
}

/* The same of an ADTS frame. */
static size_t adts_frame(const uint8_t *p)
{
    if (p[0] != 0xff || (p[1] & 0xf6) != 0xf0 || (p[2] >> 2 & 15) > 12)
        return 0;
    size_t n = (size_t)(p[3] & 3) << 11 | (size_t)p[4] << 3 | p[5] >> 5;
    return n >= 7 ? n : 0;
}

/* A frame, and behind it another of its kind or the end of the file. */
static bool is_framed(struct view v, size_t at, size_t (*frame)(const uint8_t *))
{
    enum { HEADER = 6, SAME = 0xfe }; /* the bit that is left out is of the checksum */

    if (v.len < at + HEADER)
        return false;
    size_t n = frame(v.p + at);
    if (n == 0 || at + n > v.len)
        return false;
    if (v.len - at - n < HEADER)
        return true;
    const uint8_t *next = v.p + at + n;
    return frame(next) > 0 && (next[1] & SAME) == (v.p[at + 1] & SAME);
}

/* MPEG frames, behind a tag and its padding. */
static enum audio_kind probe_frames(struct view v, size_t at)
{
    enum { PADDING_MAX = 4096 };

    if (at >= v.len)
        return AUDIO_NONE;
    for (size_t i = 0; i < PADDING_MAX && at < v.len && v.p[at] == 0; i++)
        at++;
    if (is_framed(v, at, adts_frame))
        return AUDIO_AAC;
    return is_framed(v, at, mpeg_frame) ? AUDIO_MP3 : AUDIO_NONE;
}

static bool is_media_file(struct view v)
{
    if (!HAS(v, 4, "ftyp"))
        return false;
    size_t box =
        (size_t)v.p[0] << 24 | (size_t)v.p[1] << 16 | (size_t)v.p[2] << 8 | v.p[3];
    return box >= 16 && box <= v.len;
}

enum audio_kind audio_probe(const void *bytes, size_t len)
{
    struct view v = {bytes, len};

    if ((HAS(v, 0, "RIFF") || HAS(v, 0, "RIFX") || HAS(v, 0, "RF64")) &&
        HAS(v, 8, "WAVE"))
        return AUDIO_WAV;
    if (HAS(v, 0, "FORM") && (HAS(v, 8, "AIFF") || HAS(v, 8, "AIFC")))
        return AUDIO_AIFF;
    if (HAS(v, 0, "OggS\0"))
        return AUDIO_OGG;
    if (HAS(v, 0, ".snd"))
        return AUDIO_AU;
    if (HAS(v, 0, "caff\0\1"))
        return AUDIO_CAF;
    if (HAS(v, 0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"))
        return AUDIO_WMA;
    if (HAS(v, 0, "\x1a\x45\xdf\xa3"))
        return AUDIO_WEBM;
    if (HAS(v, 0, "#!AMR"))
        return AUDIO_AMR;
    if (is_media_file(v))
        return AUDIO_M4A;
    size_t tag = tag_len(v);
    if (HAS(v, tag, "fLaC"))
        return AUDIO_FLAC;
    return probe_frames(v, tag);
}
