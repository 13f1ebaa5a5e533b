package dev.weft.backend.ascend.kernel;

import dev.weft.DTypeException;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclFormat;
import dev.weft.backend.ascend.abi.AclType;
import java.lang.foreign.MemorySegment;

/**
 * FP4 expert weights {@code [E, N, K]} as {@code aclnnGroupedMatmulWeightNz} reads them beside FP8 activations: codes in
 * tiles of 16 rows by 32 columns, storage {@code [E, ceil(K/32), ceil(N/16), 16, 32]} (format 51), then the scale bytes in
 * checkpoint order, {@code [E, N, K/64, 2]}. Padding is zero. Source: ops-transformer docs aclnnGroupedMatmulWeightNz and
 * aclnnWeightQuantPreprocess.
 */
final class ExpertWeight extends HostPacking implements DevicePacking {
    private static final int TILE_ROWS = 16;
    private static final int TILE_COLUMNS = 32;
    private static final int TILE_ROW_BYTES = TILE_COLUMNS / 2;

    private final long rowTiles;
    private final long columnTiles;
    private final long matrixBytes;
    private final long scalesAt;

    ExpertWeight(TensorType type) {
        super("FP4 tiles", type);
        if (!type.scaling().equals(Scaling.MXFP4) || columns() % 64 != 0) {
            throw new DTypeException("expert weight " + type + ": expected 1 x 32 scales and whole pairs of blocks");
        }
        this.rowTiles = Math.ceilDiv(rows(), TILE_ROWS);
        this.columnTiles = Math.ceilDiv(columns(), TILE_COLUMNS);
        this.matrixBytes = rowTiles * columnTiles * TILE_ROWS * TILE_ROW_BYTES;
        this.scalesAt = aligned(matrixBytes * matrices());
    }

    /** The view {@code [E, K, N]} of the tiles at {@code address}. */
    Ten tiles(long address) {
        Ten rowMajor = Ten.dense(address, AclType.FLOAT4_E2M1, matrices(), rows(), columns());
        return rowMajor.transpose()
                .format(AclFormat.FRACTAL_NZ_C0_32, matrices(), columnTiles, rowTiles, TILE_ROWS, TILE_COLUMNS);
    }

    /** The view {@code [E, K/64, N, 2]} of the scales. */
    Ten scales(long address) {
        return Ten.dense(address + scalesAt, AclType.FLOAT8_E8M0, matrices(), rows(), columns() / 64, 2)
                .permute(0, 2, 1, 3);
    }

    /** By {@code aclnnWeightQuantPreprocess}, whose page asks for rows and columns in multiples of 64. */
    @Override
    public void pack(long codes, long scales, long target, Caller caller) {
        Ten weight = Ten.dense(codes, AclType.FLOAT4_E2M1, matrices(), rows(), columns());
        Ten exponents = Ten.dense(scales, AclType.FLOAT8_E8M0, matrices(), rows(), columns() / 64, 2);
        caller.call(
                "aclnnWeightQuantPreprocess",
                weight.transpose(),
                exponents.permute(0, 2, 1, 3),
                null,
                null,
                AclType.FLOAT8_E4M3FN,
                AclType.FLOAT8_E8M0,
                type().scaling().columns(),
                tiles(target),
                scales(target),
                null,
                null);
    }

    @Override
    public long bytes() {
        return scalesAt + type().maxScaleBytes();
    }

    @Override
    void convert(Piece piece, MemorySegment target) {
        long matrix = piece.matrix() * matrixBytes;
        int padded =
                piece.first() + piece.rows() == rows() ? (int) (rowTiles * TILE_ROWS) : piece.first() + piece.rows();
        for (int row = piece.first(); row < padded; row++) {
            for (long tile = 0; tile < columnTiles; tile++) {
                long at = matrix + ((tile * rowTiles + row / TILE_ROWS) * TILE_ROWS + row % TILE_ROWS) * TILE_ROW_BYTES;
                if (row < rows()) {
                    long from = (row - piece.first()) * rowBytes() + tile * TILE_ROW_BYTES;
                    MemorySegment.copy(piece.data(), from, target, at, TILE_ROW_BYTES);
                } else {
                    target.asSlice(at, TILE_ROW_BYTES).fill((byte) 0);
                }
            }
        }
        long scaleRow = ((long) piece.matrix() * rows() + piece.first()) * scaleColumns();
        MemorySegment.copy(
                piece.scales(), 0, target, scalesAt + scaleRow, piece.scales().byteSize());
    }
}
