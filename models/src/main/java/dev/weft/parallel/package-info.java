/** Models past one device: which rank holds what, and a rank's share of a graph. */
package dev.weft.parallel;
