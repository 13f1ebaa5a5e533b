/** MPI as a transport: the library's two calling conventions, and groups that wait with a deadline. */
package dev.weft.ranks.mpi;
