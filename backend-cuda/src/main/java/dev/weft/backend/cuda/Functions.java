package dev.weft.backend.cuda;

import dev.weft.UnsupportedOpException;
import dev.weft.spi.support.DeviceThread;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The kernels of a device. An image is loaded when the first of its kernels is asked for. Thread-safe. */
final class Functions {
    private static final Logger LOG = LoggerFactory.getLogger(Functions.class);

    private final CudaContext context;
    private final DeviceThread thread;
    private final Images images;
    private final int mostShared;
    private final Map<String, Module> modules = new HashMap<>();
    private final Map<Name, Function> functions = new ConcurrentHashMap<>();
    private final Map<String, Boolean> ownFeatures = new ConcurrentHashMap<>();

    /** @param mostShared memory of a block on the device */
    Functions(CudaContext context, DeviceThread thread, Images images, int mostShared) {
        this.context = context;
        this.thread = thread;
        this.images = images;
        this.mostShared = mostShared;
    }

    private record Name(String module, String function) {}

    /** @param image what was loaded */
    private record Module(long handle, Images.Image image) {}

    /**
     * A kernel whose blocks may have {@code sharedBytes} of dynamic shared memory.
     *
     * @param calls that its parameter consists of
     * @throws dev.weft.WeftException if there is no image for the device, or it lacks the kernel, or the memory is too much
     */
    Function of(String module, String function, int sharedBytes, int calls) {
        Name name = new Name(module, function);
        Function known = functions.get(name);
        if (known == null || sharedBytes > known.sharedBytes()) {
            known = thread.call(() -> load(name, sharedBytes, calls));
        }
        return known;
    }

    /** Whether the image of a module is for exactly this chip; not if there is none. */
    boolean hasOwnFeatures(String module) {
        Boolean known = ownFeatures.get(module);
        if (known == null) {
            known = thread.call(() -> lookForOwnFeatures(module));
            ownFeatures.put(module, known);
        }
        return known;
    }

    private boolean lookForOwnFeatures(String module) {
        try {
            Images.Source source = images.source(module);
            if (source.hasOwnFeatures()) {
                source = module(module).image().source(); // one that was still to be compiled may have become another
            }
            if (!source.hasOwnFeatures()) {
                LOG.warn("{} is not for exactly this chip: {}", source.origin(), images.lacking());
            }
            return source.hasOwnFeatures();
        } catch (UnsupportedOpException e) {
            LOG.warn("{}; {}", e.getMessage(), images.lacking());
            return false;
        }
    }

    private Function load(Name name, int sharedBytes, int calls) {
        Function known = functions.get(name);
        if (known == null) {
            Module module = module(name.module());
            String text = name.module() + "/" + name.function();
            long handle = context.function(
                    module.handle(), name.function(), module.image().origin(), calls);
            known = new Function(text, handle, module.image().waits(), context.staticShared(handle, text));
            functions.put(name, known);
        }
        if (sharedBytes > mostShared - known.staticBytes()) {
            throw new UnsupportedOpException("kernel " + known + ": a block takes " + sharedBytes + " and "
                    + known.staticBytes() + " bytes of shared memory, the device has " + mostShared);
        }
        if (sharedBytes > known.sharedBytes()) {
            context.allowShared(known, sharedBytes);
            known.sharedBytes(sharedBytes);
        }
        return known;
    }

    private Module module(String name) {
        Module known = modules.get(name);
        if (known == null) {
            known = loadModule(name);
            modules.put(name, known);
        }
        return known;
    }

    /** @throws UnsupportedOpException if the driver loads no image that there is */
    private Module loadModule(String name) {
        while (true) {
            Images.Image image = images.of(name);
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment bytes = arena.allocate(image.bytes().length + 1L, 64); // PTX ends with a zero
                MemorySegment.copy(image.bytes(), 0, bytes, ValueLayout.JAVA_BYTE, 0, image.bytes().length);
                return new Module(context.loadModule(bytes, image.origin()), image);
            } catch (UnsupportedOpException e) {
                String reason = String.valueOf(e.getMessage());
                LOG.warn("{}; the next best image is used instead, if there is one", reason);
                images.refuse(image, reason);
            }
        }
    }

    /** Unloads all images; on the device's thread, when no kernel runs. */
    void close() {
        functions.clear();
        modules.values().forEach(m -> context.unloadModule(m.handle()));
        modules.clear();
    }
}
