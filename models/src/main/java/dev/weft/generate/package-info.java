/** Generation for many sequences at once, with speculation. */
package dev.weft.generate;
