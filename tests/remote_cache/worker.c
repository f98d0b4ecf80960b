/* What clusters run in the tests: a program that needs nothing, not even a libc of theirs. Its first argument says what it does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void copy(const char *from, const char *to) {
    char buffer[65536];
    size_t size;
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    if (!in || !out) {
        fprintf(stderr, "cannot copy %s to %s\n", from, to);
        exit(7);
    }
    while ((size = fread(buffer, 1, sizeof buffer, in)) > 0)
        fwrite(buffer, 1, size, out);
    if (fclose(out))
        exit(8);
    fclose(in);
}

int main(int count, char **words) {
    const char *what = count > 1 ? words[1] : "";
    mkdir("out", 0777);
    if (!strcmp(what, "fail")) {
        fprintf(stderr, "this went \033[31mwrong\n");
        return 3;
    }
    if (!strcmp(what, "sleep") && count > 2)
        sleep(atoi(words[2]));
    copy("in/data", "out/artifact");
    if (!strcmp(what, "forget")) {
        fprintf(stderr, "a record? what record?\n");
        return 0;
    }
    copy("in/data", "out/record");
    return 0;
}
