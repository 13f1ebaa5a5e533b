package dev.weft.io.support;

import dev.weft.CheckpointException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/** What every file of a model must be before it is opened. */
public final class ModelFile {
    private ModelFile() {}

    /**
     * Size of the regular file at {@code path}, links followed. Asked before opening because opening a pipe would wait
     * for its writer for ever, and a device has no end.
     *
     * @throws CheckpointException if it is absent, a directory, a link that leads nowhere, a device or a pipe
     */
    public static long regularSize(Path path) {
        try {
            BasicFileAttributes a = Files.readAttributes(path, BasicFileAttributes.class);
            if (a.isDirectory()) {
                throw new CheckpointException(path + ": is a directory, expected a regular file");
            }
            if (!a.isRegularFile()) {
                throw new CheckpointException(path + ": is a device, pipe or socket, expected a regular file");
            }
            return a.size();
        } catch (IOException e) {
            throw unreadable(path, e);
        }
    }

    /**
     * The whole of a small file.
     *
     * @param most bytes it may have
     * @param what what it should be, for messages
     * @throws CheckpointException if it is no regular file, larger, or cannot be read
     */
    public static byte[] bytes(Path path, long most, String what) {
        long size = regularSize(path);
        if (size > most) {
            throw new CheckpointException(
                    path + ": found " + size + " bytes, expected " + what + " of at most " + most);
        }
        try {
            return Files.readAllBytes(path);
        } catch (IOException e) {
            throw unreadable(path, e);
        }
    }

    /** The exception for a failed file operation, in words. */
    public static CheckpointException unreadable(Path path, IOException e) {
        if (e instanceof NoSuchFileException) {
            return new CheckpointException(path + ": does not exist", e);
        }
        if (e instanceof FileSystemLoopException) {
            return new CheckpointException(path + ": is a symbolic link that leads to itself", e);
        }
        // the file name is in the message already: keep only what the system said
        String reason = e instanceof FileSystemException f && f.getReason() != null ? f.getReason() : e.toString();
        return new CheckpointException(path + ": cannot be read: " + reason, e);
    }
}
