/** Text to token ids and back. */
package dev.weft.text;
