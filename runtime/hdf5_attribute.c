/* runtime/hdf5_attribute.c: strings and integers on the root group. */
#include "runtime/hdf5_internal.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ATTRIBUTE_BYTES = 1 << 20 };

static judo_status fail_attribute(const judo_hdf5_file *file, judo_status code,
                                  const char *name, const char *what)
{
    return JUDO_FAIL(code, "%s: attribute '%s': %s", file->path, name, what);
}

/* Writes a scalar attribute of `type`, which is closed when it is a copy of the string type. */
static judo_status write_attribute(judo_hdf5_file *file, const char *name, hid_t type,
                                   const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = JUDO_HDF5_NO_ID;
    if (space >= 0 && type >= 0) {
        attribute = H5Acreate2(file->id, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    }
    bool ok = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
    judo_hdf5_close_id(attribute, H5Aclose);
    judo_hdf5_close_id(space, H5Sclose);
    return ok ? JUDO_OK
              : fail_attribute(file, JUDO_ERROR_IO, name,
                               "cannot be written (is it set already?)");
}

/* A variable-length UTF-8 string, which h5py shows as str. */
static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 &&
        (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        judo_hdf5_close_id(type, H5Tclose);
        type = JUDO_HDF5_NO_ID;
    }
    return type;
}

judo_status judo_hdf5_set_attribute_string(judo_hdf5_file *file, const char *name,
                                           const char *value)
{
    judo_hdf5_enter();
    hid_t type = text_type();
    judo_status status = write_attribute(file, name, type, &value);
    judo_hdf5_close_id(type, H5Tclose);
    judo_hdf5_leave();
    return status;
}

judo_status judo_hdf5_set_attribute_int(judo_hdf5_file *file, const char *name, int64_t value)
{
    judo_hdf5_enter();
    judo_status status = write_attribute(file, name, H5T_STD_I64LE, &value);
    judo_hdf5_leave();
    return status;
}

/* The only element of an attribute; call between enter and leave. */
static hid_t open_scalar(const judo_hdf5_file *file, const char *name)
{
    hid_t attribute = H5Aopen(file->id, name, H5P_DEFAULT);
    hid_t space = attribute >= 0 ? H5Aget_space(attribute) : JUDO_HDF5_NO_ID;
    if (space < 0 || H5Sget_simple_extent_npoints(space) != 1) {
        judo_hdf5_close_id(attribute, H5Aclose);
        attribute = JUDO_HDF5_NO_ID;
    }
    judo_hdf5_close_id(space, H5Sclose);
    return attribute;
}

static bool read_variable_text(hid_t attribute, char **out)
{
    char *text = NULL;
    hid_t type = H5Aget_type(attribute); /* keeps the file's character set */
    if (type >= 0 && H5Aread(attribute, type, (void *)&text) >= 0 && text != NULL &&
        strnlen(text, MAX_ATTRIBUTE_BYTES) < MAX_ATTRIBUTE_BYTES) {
        *out = strdup(text);
    }
    (void)H5free_memory(text);
    judo_hdf5_close_id(type, H5Tclose);
    return *out != NULL;
}

static bool read_fixed_text(hid_t attribute, size_t bytes, char **out)
{
    hid_t type = H5Aget_type(attribute);
    char *text = bytes < MAX_ATTRIBUTE_BYTES ? calloc(bytes + 1, 1) : NULL;
    bool ok = type >= 0 && text != NULL && H5Aread(attribute, type, text) >= 0;
    judo_hdf5_close_id(type, H5Tclose);
    if (!ok) {
        free(text);
        return false;
    }
    *out = text;
    return true;
}

judo_status judo_hdf5_get_attribute_string(judo_hdf5_file *file, const char *name, char **out)
{
    char *text = NULL;
    bool ok = false;
    judo_hdf5_enter();
    hid_t attribute = open_scalar(file, name);
    hid_t type = attribute >= 0 ? H5Aget_type(attribute) : JUDO_HDF5_NO_ID;
    if (type >= 0 && H5Tget_class(type) == H5T_STRING) {
        ok = H5Tis_variable_str(type) > 0
                 ? read_variable_text(attribute, &text)
                 : read_fixed_text(attribute, H5Tget_size(type), &text);
    }
    judo_hdf5_close_id(type, H5Tclose);
    judo_hdf5_close_id(attribute, H5Aclose);
    judo_hdf5_leave();
    if (!ok) {
        return fail_attribute(file, JUDO_ERROR_FORMAT, name,
                              "is missing or not one short string");
    }
    *out = text;
    return JUDO_OK;
}

judo_status judo_hdf5_get_attribute_int(judo_hdf5_file *file, const char *name, int64_t *out)
{
    int64_t value = 0;
    bool ok = false;
    judo_hdf5_enter();
    hid_t attribute = open_scalar(file, name);
    hid_t type = attribute >= 0 ? H5Aget_type(attribute) : JUDO_HDF5_NO_ID;
    if (type >= 0 && H5Tget_class(type) == H5T_INTEGER) {
        ok = H5Aread(attribute, H5T_STD_I64LE, &value) >= 0;
    }
    judo_hdf5_close_id(type, H5Tclose);
    judo_hdf5_close_id(attribute, H5Aclose);
    judo_hdf5_leave();
    if (!ok) {
        return fail_attribute(file, JUDO_ERROR_FORMAT, name, "is missing or not one integer");
    }
    *out = value;
    return JUDO_OK;
}
