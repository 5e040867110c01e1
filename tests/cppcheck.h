/* SPDX-License-Identifier: BSD-2-Clause */
/* What cppcheck must know of the libraries' macros, since it does not read their headers. */
#define LIBBPF_OPTS(type, name, ...) struct type name = { 0 }
#define json_array_foreach(array, i, value) \
	for (i = 0; i < json_array_size(array) && (value = json_array_get(array, i)); i++)
#define json_object_foreach(object, key, value) for (key = ""; (value = json_object_get(object, key));)
