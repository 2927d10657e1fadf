/*
 * WebKit, loaded when the first window is made.
 *
 * A program that is linked to WebKit maps a hundred libraries at its start, voices and film codecs among them, and the
 * dynamic linker writes to all of them: that is half of what Skykeep would take up in the tray, where nobody needs any
 * of it. So the program brings a door of its own for each of their functions (`x86_64.S`), and is not linked to them.
 * Windows knows the same as delay loading.
 */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* As `x86_64.S` lays it out. */
struct entry {
    void *at;
    const char *name;
    const char *library;
};

/*
 * Loads a library, if it is not, finds a function in it, and points the function's entry there.
 *
 * Two threads may come at once: both find the same. A library that is missing, or too old to have the function, ends
 * the program as it would have at its start.
 */
void *later_find(struct entry *entry) {
    void *library = dlopen(entry->library, RTLD_LAZY | RTLD_GLOBAL);
    void *found = library ? dlsym(library, entry->name) : NULL;
    if (!found) {
        fprintf(stderr, "skykeep: no window without %s: %s\n", entry->library, dlerror());
        abort();
    }
    __atomic_store_n(&entry->at, found, __ATOMIC_RELEASE);
    return found;
}

/*
 * Tauri asks at every start for the version of the web view, and only looks at whether there is an answer. That is not
 * worth loading it for: the version that the program was built with answers.
 */
unsigned webkit_get_major_version(void) {
    return WEBKIT_GET_MAJOR_VERSION;
}

unsigned webkit_get_minor_version(void) {
    return WEBKIT_GET_MINOR_VERSION;
}

unsigned webkit_get_micro_version(void) {
    return WEBKIT_GET_MICRO_VERSION;
}
