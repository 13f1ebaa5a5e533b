package dev.weft.spi.nativelib;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** How a method of a bound interface is called in C; without it the method has the C name. */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
public @interface Symbol {
    /** Name in the library, empty for the method's own name. */
    String value() default "";

    /**
     * Whether the call skips the thread-state transition. Only for functions that take microseconds, never block and
     * never call back: garbage collection waits for them.
     */
    boolean critical() default false;
}
