/* blindmatch.protocol.group._native: buffers in, buffers out. CPython's stable ABI, so that one wheel serves
 * 3.11 and later.
 *
 * Every function checks the sizes of its buffers and holds them while it computes without the interpreter's
 * lock. Functions that decode, derive or add give the first bad row, or the number of rows when none is; the
 * meaning is in blindmatch/protocol/group/_native_backend.py, their one caller.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "bytes.h"
#include "kernel.h"
#include "scalar.h"

#define MOST_BUFFERS 3

/* The buffers of one call. */
struct buffers {
    Py_buffer held[MOST_BUFFERS];
    int count;
};

static void release(struct buffers *buffers) {
    while (buffers->count) {
        PyBuffer_Release(&buffers->held[--buffers->count]);
    }
}

/* Take the objects' buffers; with `written`, the first one to write to. */
static int take(struct buffers *buffers, PyObject *const *objects, int count, int written) {
    buffers->count = 0;
    for (int i = 0; i < count; i++) {
        const int flags = i == 0 && written ? PyBUF_WRITABLE : PyBUF_SIMPLE;
        if (PyObject_GetBuffer(objects[i], &buffers->held[i], flags)) {
            release(buffers);
            return -1;
        }
        buffers->count++;
    }
    return 0;
}

static int fits(const struct buffers *buffers, int index, size_t bytes) {
    return (size_t)buffers->held[index].len == bytes;
}

static const struct path *path_at(long index) {
#if defined(__x86_64__)
    if (index == 1 && ifma_is_supported()) {
        return &ifma_path;
    }
#endif
    return index == 0 ? &portable_path : NULL;
}

static PyObject *paths(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyObject *names = PyList_New(0);
    for (long i = 0; names && path_at(i); i++) {
        PyObject *name = PyUnicode_FromString(path_at(i)->name);
        if (!name || PyList_Append(names, name)) {
            Py_CLEAR(names);
        }
        Py_XDECREF(name);
    }
    return names;
}

static PyObject *cores(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromSize_t(usable_cores());
}

static PyObject *wrong_sizes(struct buffers *buffers) {
    release(buffers);
    PyErr_SetString(PyExc_ValueError, "the buffers do not go together");
    return NULL;
}

static PyObject *bad_scalar(struct buffers *buffers, enum scalar_fault fault) {
    release(buffers);
    PyErr_SetString(PyExc_ValueError, fault == SCALAR_IS_ZERO ? "scalars must not be zero"
                                                              : "scalars must be below the group's order");
    return NULL;
}

/* Whether a result of this task may be the identity: the caller refuses it. */
static int may_be_identity(enum task task) { return task == DERIVE || task == MULTIPLY_UNIFORM || task == ADD; }

/* (path, threads, buffers...) for each task. The order of the buffers is output, input, then scalars or the
 * other input; CHECK has the input alone. */
static PyObject *run_task(enum task task, PyObject *arguments) {
    const int has_output = task != CHECK;
    const int count = task == CHECK ? 1 : task == DERIVE ? 2 : 3;
    const int scalars = task == MULTIPLY || task == MULTIPLY_UNIFORM || task == COMBINE;
    const size_t width = task == DERIVE || task == MULTIPLY_UNIFORM ? UNIFORM_BYTES : POINT_BYTES;
    long index, threads;
    PyObject *objects[MOST_BUFFERS] = {NULL, NULL, NULL};
    struct buffers buffers;
    if (!PyArg_ParseTuple(arguments, "llO|OO", &index, &threads, &objects[0], &objects[1], &objects[2])) {
        return NULL;
    }
    const struct path *path = path_at(index);
    if (!path || threads < 1 || !objects[count - 1] || (count < MOST_BUFFERS && objects[count])) {
        PyErr_SetString(PyExc_ValueError, "no such path, no threads, or too few or too many buffers");
        return NULL;
    }
    if (take(&buffers, objects, count, has_output)) {
        return NULL;
    }

    struct job job = {.task = task};
    const int input = has_output ? 1 : 0;
    job.rows = (size_t)buffers.held[input].len / width;
    job.input = buffers.held[input].buf;
    if (!fits(&buffers, input, job.rows * width) ||
        (has_output && !fits(&buffers, 0, task == COMBINE ? POINT_BYTES : job.rows * POINT_BYTES)) ||
        (task == ADD && !fits(&buffers, 2, job.rows * POINT_BYTES)) || (task == COMBINE && !job.rows)) {
        return wrong_sizes(&buffers);
    }
    if (scalars) {
        const int shared = task != COMBINE && fits(&buffers, 2, SCALAR_BYTES);
        if (!shared && !fits(&buffers, 2, job.rows * SCALAR_BYTES)) {
            return wrong_sizes(&buffers);
        }
        job.scalars = buffers.held[2].buf;
        job.scalar_step = shared ? 0 : SCALAR_BYTES;
    } else if (task == ADD) {
        job.other = buffers.held[2].buf;
    }
    uint8_t *total = task == COMBINE ? buffers.held[0].buf : NULL;
    job.output = has_output && !total ? buffers.held[0].buf : NULL;

    enum scalar_fault fault = SCALARS_GOOD;
    size_t bad = NONE;
    Py_BEGIN_ALLOW_THREADS
    if (scalars) {
        fault = scalars_fault(job.scalars, job.scalar_step ? job.rows : 1, 0);
    }
    if (fault == SCALARS_GOOD && job.rows) {
        bad = run_job(path, &job, (size_t)threads, total);
        for (size_t row = 0; may_be_identity(task) && bad == NONE && row < job.rows; row++) {
            bad = row_is_zero(job.output + row * POINT_BYTES) ? row : NONE;
        }
    }
    Py_END_ALLOW_THREADS
    if (fault != SCALARS_GOOD) {
        return bad_scalar(&buffers, fault);
    }
    release(&buffers);
    if (bad == NO_MEMORY) {
        return PyErr_NoMemory();
    }
    return PyLong_FromSize_t(bad == NONE ? job.rows : bad);
}

#define TASK(name, task) \
    static PyObject *name(PyObject *module, PyObject *arguments) { \
        (void)module; \
        return run_task(task, arguments); \
    }

TASK(check, CHECK)
TASK(derive, DERIVE)
TASK(multiply, MULTIPLY)
TASK(multiply_uniform, MULTIPLY_UNIFORM)
TASK(add, ADD)
TASK(combine, COMBINE)

enum scalar_task { REDUCE, INVERT, TIMES, MINUS };

/* (output, input) or (output, left, right), row by row. */
static PyObject *run_scalar_task(enum scalar_task task, PyObject *arguments) {
    const int pair = task == TIMES || task == MINUS;
    PyObject *objects[MOST_BUFFERS] = {NULL, NULL, NULL};
    struct buffers buffers;
    if (!PyArg_ParseTuple(arguments, pair ? "OOO" : "OO", &objects[0], &objects[1], &objects[2]) ||
        take(&buffers, objects, pair ? 3 : 2, 1)) {
        return NULL;
    }
    const size_t rows = (size_t)buffers.held[0].len / SCALAR_BYTES;
    const size_t width = task == REDUCE ? UNIFORM_BYTES : SCALAR_BYTES;
    if (!fits(&buffers, 0, rows * SCALAR_BYTES) || !fits(&buffers, 1, rows * width) ||
        (pair && !fits(&buffers, 2, rows * SCALAR_BYTES))) {
        return wrong_sizes(&buffers);
    }
    uint8_t *output = buffers.held[0].buf;
    const uint8_t *left = buffers.held[1].buf, *right = pair ? buffers.held[2].buf : NULL;

    enum scalar_fault fault = SCALARS_GOOD;
    Py_BEGIN_ALLOW_THREADS
    if (task != REDUCE) {
        fault = scalars_fault(left, rows, pair);
    }
    if (pair && fault == SCALARS_GOOD) {
        fault = scalars_fault(right, rows, 1);
    }
    if (fault == SCALARS_GOOD) {
        switch (task) {
        case REDUCE: scalars_reduce(output, left, rows); break;
        case INVERT: scalars_invert(output, left, rows); break;
        case TIMES: scalars_multiply(output, left, right, rows); break;
        case MINUS: scalars_subtract(output, left, right, rows); break;
        }
        wipe_stack();
    }
    Py_END_ALLOW_THREADS
    if (fault != SCALARS_GOOD) {
        return bad_scalar(&buffers, fault);
    }
    release(&buffers);
    Py_RETURN_NONE;
}

#define SCALAR_TASK(name, task) \
    static PyObject *name(PyObject *module, PyObject *arguments) { \
        (void)module; \
        return run_scalar_task(task, arguments); \
    }

SCALAR_TASK(scalar_reduce, REDUCE)
SCALAR_TASK(scalar_invert, INVERT)
SCALAR_TASK(scalar_multiply, TIMES)
SCALAR_TASK(scalar_subtract, MINUS)

static PyMethodDef methods[] = {
    {"paths", paths, METH_NOARGS, "paths() -> list[str]: the paths that run here, slowest first"},
    {"cores", cores, METH_NOARGS, "cores() -> int: how many cores this process may use"},
    {"check", check, METH_VARARGS, "check(path, threads, points) -> int"},
    {"derive", derive, METH_VARARGS, "derive(path, threads, out, uniform) -> int"},
    {"multiply", multiply, METH_VARARGS, "multiply(path, threads, out, points, scalars) -> int"},
    {"multiply_uniform", multiply_uniform, METH_VARARGS,
     "multiply_uniform(path, threads, out, uniform, scalars) -> int"},
    {"add", add, METH_VARARGS, "add(path, threads, out, left, right) -> int"},
    {"combine", combine, METH_VARARGS, "combine(path, threads, out, points, scalars) -> int"},
    {"scalar_reduce", scalar_reduce, METH_VARARGS, "scalar_reduce(out, uniform)"},
    {"scalar_invert", scalar_invert, METH_VARARGS, "scalar_invert(out, scalars)"},
    {"scalar_multiply", scalar_multiply, METH_VARARGS, "scalar_multiply(out, left, right)"},
    {"scalar_subtract", scalar_subtract, METH_VARARGS, "scalar_subtract(out, left, right)"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "Batches of ristretto255 operations in C.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
