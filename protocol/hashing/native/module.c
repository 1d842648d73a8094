/* The extension module: takes buffers from Python, checks every bound, works without the interpreter lock.
 *
 * Built against the stable ABI of Python 3.11.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "rows.h"
#include "seal.h"

#define ERROR(text) (PyErr_SetString(PyExc_ValueError, text), -1)

/* Buffers held during one call. */
struct held {
    Py_buffer buffers[MAX_FRAMES * (MAX_PARTS + 1) + 2];
    size_t count;
};

static int hold(struct held *held, PyObject *object, int flags, Py_buffer **got) {
    if (held->count == sizeof held->buffers / sizeof *held->buffers) return ERROR("too many buffers");
    *got = &held->buffers[held->count];
    if (PyObject_GetBuffer(object, *got, flags | PyBUF_C_CONTIGUOUS)) return -1;
    held->count++;
    return 0;
}

static void let_go(struct held *held) {
    while (held->count) PyBuffer_Release(&held->buffers[--held->count]);
}

/* (offset, width, mask, rows) */
static int read_part(PyObject *object, struct frame *frame, size_t rows, struct held *held) {
    Py_ssize_t offset, width;
    unsigned char mask;
    PyObject *array;
    Py_buffer *buffer;
    if (!PyArg_ParseTuple(object, "nnbO", &offset, &width, &mask, &array)) return -1;
    if (hold(held, array, PyBUF_SIMPLE, &buffer)) return -1;
    if (offset < 0 || width < 0 || (size_t)offset > frame->length || (size_t)width > frame->length - (size_t)offset)
        return ERROR("a part lies outside its message");
    size_t size;
    if (__builtin_mul_overflow((size_t)width, rows, &size) || (size_t)buffer->len != size)
        return ERROR("a part has another number of rows");
    if (frame->part_count == MAX_PARTS) return ERROR("too many parts");
    frame->parts[frame->part_count++] = (struct part){buffer->buf, (size_t)width, (size_t)offset, mask};
    return 0;
}

/* (text, parts, digest_at) */
static int read_frame(PyObject *object, struct batch *batch, struct held *held) {
    PyObject *text, *parts;
    Py_ssize_t digest_at;
    Py_buffer *buffer;
    if (!PyArg_ParseTuple(object, "OO!n", &text, &PyTuple_Type, &parts, &digest_at)) return -1;
    if (hold(held, text, PyBUF_SIMPLE, &buffer)) return -1;
    if (batch->frame_count == MAX_FRAMES) return ERROR("too many frames");
    struct frame *frame = &batch->frames[batch->frame_count];
    frame->text = buffer->buf;
    frame->length = (size_t)buffer->len;
    if (frame->length > PY_SSIZE_T_MAX / 64) return ERROR("a message is too long");
    if (batch->frame_count) {
        if (digest_at < 0 || frame->length < DIGEST_BYTES || (size_t)digest_at > frame->length - DIGEST_BYTES)
            return ERROR("the digest lies outside its message");
        frame->digest_at = (size_t)digest_at;
    }
    batch->frame_count++;
    for (Py_ssize_t i = 0; i < PyTuple_Size(parts); i++)
        if (read_part(PyTuple_GetItem(parts, i), frame, batch->rows, held)) return -1;
    return 0;
}

static int choose(struct batch *batch, const char *algorithm, const char *path) {
    int blake2b = !strcmp(algorithm, "blake2b");
    if (!blake2b && strcmp(algorithm, "sha512")) return ERROR("no such hash");
    batch->portable = blake2b ? &blake2b_portable : &sha512_portable;
    if (!strcmp(path, "portable"))
        batch->path = batch->portable;
    else if (!strcmp(path, "avx512"))
        batch->path = blake2b ? blake2b_avx512() : sha512_avx512();
    return batch->path ? 0 : ERROR("this path does not run here");
}

static int read_batch(PyObject *arguments, struct batch *batch, struct held *held, size_t *threads) {
    const char *algorithm, *path;
    PyObject *parameters, *frames, *out;
    Py_ssize_t rows, size, wanted;
    Py_buffer *buffer;
    if (!PyArg_ParseTuple(arguments, "ssOO!nnnO", &algorithm, &path, &parameters, &PyTuple_Type, &frames, &rows, &size,
                          &wanted, &out))
        return -1;
    if (choose(batch, algorithm, path)) return -1;
    if (rows < 0 || size < 1 || size > DIGEST_BYTES || wanted < 0) return ERROR("a number is out of bounds");
    batch->rows = (size_t)rows;
    batch->size = (size_t)size;
    *threads = (size_t)wanted;
    if (hold(held, parameters, PyBUF_SIMPLE, &buffer)) return -1;
    if (buffer->len != DIGEST_BYTES) return ERROR("a parameter block has 64 bytes");
    batch->parameters = buffer->buf;
    for (Py_ssize_t i = 0; i < PyTuple_Size(frames); i++)
        if (read_frame(PyTuple_GetItem(frames, i), batch, held)) return -1;
    if (!batch->frame_count) return ERROR("there is no message");
    if (hold(held, out, PyBUF_WRITABLE, &buffer)) return -1;
    size_t expected;
    if (__builtin_mul_overflow(batch->rows, batch->size, &expected) || (size_t)buffer->len != expected)
        return ERROR("the output has another number of rows");
    batch->out = buffer->buf;
    return 0;
}

PyDoc_STRVAR(hash_rows_doc,
             "hash_rows(algorithm, path, parameters, frames, rows, size, threads, out)\n--\n\n"
             "Hash one message per row into out (rows, size).\n\n"
             "frames: one or two of (text, ((offset, width, mask, rows), ...), digest_at).");

static PyObject *py_hash_rows(PyObject *module, PyObject *arguments) {
    (void)module;
    struct batch batch = {0};
    struct held held = {0};
    size_t threads;
    PyObject *result = NULL;
    if (!read_batch(arguments, &batch, &held, &threads)) {
        int failed;
        Py_BEGIN_ALLOW_THREADS
        failed = hash_rows(&batch, threads);
        Py_END_ALLOW_THREADS
        result = failed ? PyErr_NoMemory() : Py_NewRef(Py_None);
    }
    let_go(&held);
    return result;
}

static int read_seal(PyObject *arguments, struct held *held, key_stream **path, Py_buffer *got[3], size_t *count,
                     size_t *width) {
    const char *name;
    PyObject *keys, *rows, *out;
    Py_ssize_t wanted_count, wanted_width;
    if (!PyArg_ParseTuple(arguments, "sOOnnO", &name, &keys, &rows, &wanted_count, &wanted_width, &out)) return -1;
    *path = !strcmp(name, "portable") ? chacha20_portable : !strcmp(name, "avx512") ? chacha20_avx512() : NULL;
    if (!*path) return ERROR("this path does not run here");
    /* RFC 8439 2.8: the counter has 32 bits; rows are far shorter. */
    if (wanted_count < 0 || wanted_width < 0 || wanted_width > 1 << 30) return ERROR("a number is out of bounds");
    *count = (size_t)wanted_count;
    *width = (size_t)wanted_width;
    if (hold(held, keys, PyBUF_SIMPLE, &got[0]) || hold(held, rows, PyBUF_SIMPLE, &got[1]) ||
        hold(held, out, PyBUF_WRITABLE, &got[2]))
        return -1;
    size_t sizes[3], widths[3] = {SEAL_KEY_BYTES, *width, *width + SEAL_TAG_BYTES};
    for (int i = 0; i < 3; i++)
        if (__builtin_mul_overflow(*count, widths[i], &sizes[i]) || (size_t)got[i]->len != sizes[i])
            return ERROR("a batch has another number of rows");
    return 0;
}

PyDoc_STRVAR(seal_rows_doc, "seal_rows(path, keys, rows, count, width, out)\n--\n\n"
                            "Seal each row (count, width) under its key (count, 32) into out (count, width + 16).");

static PyObject *py_seal_rows(PyObject *module, PyObject *arguments) {
    (void)module;
    struct held held = {0};
    key_stream *path;
    Py_buffer *got[3];
    size_t count, width;
    PyObject *result = NULL;
    if (!read_seal(arguments, &held, &path, got, &count, &width)) {
        int failed;
        Py_BEGIN_ALLOW_THREADS
        failed = seal_rows(path, got[0]->buf, got[1]->buf, count, width, got[2]->buf);
        Py_END_ALLOW_THREADS
        result = failed ? PyErr_NoMemory() : Py_NewRef(Py_None);
    }
    let_go(&held);
    return result;
}

PyDoc_STRVAR(paths_doc, "paths()\n--\n\nName the paths that run on this processor, fastest first.");

static PyObject *py_paths(PyObject *module, PyObject *nothing) {
    (void)module, (void)nothing;
    if (sha512_avx512() && blake2b_avx512() && chacha20_avx512()) return Py_BuildValue("(ss)", "avx512", "portable");
    return Py_BuildValue("(s)", "portable");
}

static PyMethodDef methods[] = {
    {"hash_rows", py_hash_rows, METH_VARARGS, hash_rows_doc},
    {"seal_rows", py_seal_rows, METH_VARARGS, seal_rows_doc},
    {"paths", py_paths, METH_NOARGS, paths_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_native", .m_doc = "Hashes and sealing over the rows of batches.", .m_methods = methods,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&definition); }
