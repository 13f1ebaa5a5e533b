/** Devices held against a reference, node by node and end to end: how far apart their numbers are, and their times. */
package dev.weft.verify;
