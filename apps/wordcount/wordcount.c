/* Counts lines, words and bytes of /in/input and lists the ten commonest words: an app in C.
 *
 * The output is standard output: an app that leaves no /out/result need not know of /out. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTED = 10 };

struct word {
    const char *text;
    size_t length;
    unsigned long count;
};

static int by_text(const void *left, const void *right) {
    const struct word *a = left, *b = right;
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->text, b->text, shorter);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static int by_count(const void *left, const void *right) {
    const struct word *a = left, *b = right;
    if (a->count != b->count) {
        return a->count < b->count ? 1 : -1;
    }
    return by_text(left, right);
}

static char *read_all(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    char *bytes = NULL;
    size_t capacity = 0, used = 0;
    for (;;) {
        if (used == capacity) {
            capacity = capacity == 0 ? 4096 : 2 * capacity;
            char *larger = realloc(bytes, capacity);
            if (larger == NULL) {
                free(bytes);
                fclose(file);
                return NULL;
            }
            bytes = larger;
        }
        size_t got = fread(bytes + used, 1, capacity - used, file);
        if (got == 0) {
            break;
        }
        used += got;
    }
    fclose(file);
    *length = used;
    return bytes;
}

int main(void) {
    size_t length = 0, lines = 0, words = 0, letters = 0;
    char *text = read_all("/in/input", &length);
    if (text == NULL) {
        perror("wordcount: /in/input");
        return 1;
    }
    struct word *all = malloc((length / 2 + 1) * sizeof *all);
    if (all == NULL) {
        perror("wordcount");
        return 1;
    }
    for (size_t at = 0; at < length;) {
        if (!isalnum((unsigned char)text[at])) {
            lines += text[at] == '\n';
            at++;
            continue;
        }
        size_t start = at;
        while (at < length && isalnum((unsigned char)text[at])) {
            text[at] = (char)tolower((unsigned char)text[at]);
            at++;
        }
        all[words++] = (struct word){text + start, at - start, 1};
        letters += at - start;
    }
    qsort(all, words, sizeof *all, by_text);
    size_t distinct = 0;
    for (size_t at = 0; at < words; at++) {
        if (distinct > 0 && by_text(&all[distinct - 1], &all[at]) == 0) {
            all[distinct - 1].count++;
        } else {
            all[distinct++] = all[at];
        }
    }
    qsort(all, distinct, sizeof *all, by_count);
    printf("lines %zu, words %zu, distinct %zu, bytes %zu, mean length %.3f\n", lines, words, distinct, length,
           words == 0 ? 0.0 : (double)letters / (double)words);
    for (size_t at = 0; at < distinct && at < LISTED; at++) {
        printf("%6lu %.*s\n", all[at].count, (int)all[at].length, all[at].text);
    }
    return 0;
}
