/** The C interface of CANN: its functions as a table, the libraries and headers of an installation, its constants. */
package dev.weft.backend.ascend.abi;
