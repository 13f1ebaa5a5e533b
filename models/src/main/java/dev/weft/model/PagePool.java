package dev.weft.model;

import dev.weft.DeviceMemoryException;
import java.util.ArrayDeque;
import java.util.Deque;

/** Cache pages with reference counts: forks and remembered prefixes share pages until somebody writes to them. */
final class PagePool {
    private final int[] references;
    private final Deque<Integer> free = new ArrayDeque<>();

    PagePool(int pages) {
        this.references = new int[pages];
        for (int i = 0; i < pages; i++) {
            free.add(i);
        }
    }

    /** A page with one reference. */
    int allocate() {
        Integer page = free.poll();
        if (page == null) {
            throw new DeviceMemoryException("cache pages: all " + references.length + " are in use");
        }
        references[page] = 1;
        return page;
    }

    void retain(int page) {
        references[page]++;
    }

    void release(int page) {
        if (--references[page] == 0) {
            free.add(page);
        }
    }

    int references(int page) {
        return references[page];
    }

    boolean isShared(int page) {
        return references[page] > 1;
    }

    int free() {
        return free.size();
    }

    int size() {
        return references.length;
    }
}
